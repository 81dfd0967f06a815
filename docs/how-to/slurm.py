"""Run a study on Slurm: python slurm.py JOBS STUDY [options of `satedge benchmark`].

Copy it, adapt the marked lines, and start it on a login node, in the environment in which satedge
is installed (`pip install 'satedge[cluster]' dask-jobqueue`). If it is killed, start it again: it
resumes where it stopped.
"""

import os
import subprocess
import sys

from dask_jobqueue import SLURMCluster

THREADS = ("OMP", "OPENBLAS", "MKL", "NUMBA")


def cluster() -> SLURMCluster:
    """Jobs of one core each: one run at a time, on one thread, so that times stay comparable."""
    return SLURMCluster(
        queue="standard",  # adapt: the partition
        account=None,  # adapt: the account that is charged
        walltime="04:00:00",  # adapt: a job that ends loses only its current run
        cores=1,
        processes=1,
        memory="6GB",  # adapt: above the study's memory_MB (4096 by default)
        job_extra_directives=["--hint=nomultithread"],
        job_script_prologue=[f"export {name}_NUM_THREADS=1" for name in THREADS],
        worker_extra_args=["--lifetime", "230m", "--lifetime-stagger", "4m"],
        local_directory=os.environ.get("TMPDIR", "/tmp"),
        python=sys.executable,
    )


def main() -> int:
    """Request the jobs, run the study on them, release them."""
    if len(sys.argv) < 3:
        print(__doc__, file=sys.stderr)
        return 2
    jobs, *study = sys.argv[1:]
    with cluster() as made:
        made.adapt(minimum_jobs=int(jobs), maximum_jobs=int(jobs))  # ended jobs are replaced
        command = [sys.executable, "-m", "satedge", "benchmark", *study]
        return subprocess.run([*command, "--cluster", made.scheduler_address]).returncode


if __name__ == "__main__":
    sys.exit(main())
