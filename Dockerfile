# The environment of the Makefile in a container:  docker build -t satedge .
#   docker run --rm -v "$PWD/runs:/satedge/results/runs" satedge benchmark quick
FROM python:3.11-slim-bookworm
RUN apt-get update && apt-get install -y --no-install-recommends gcc g++ git make \
    && rm -rf /var/lib/apt/lists/*
RUN useradd --create-home satedge && mkdir /satedge && chown satedge /satedge
USER satedge
WORKDIR /satedge
COPY --chown=satedge pyproject.toml constraints.txt Makefile README.md LICENSE ./
COPY --chown=satedge satedge satedge
COPY --chown=satedge minlp minlp
COPY --chown=satedge drl drl
COPY --chown=satedge instances instances
COPY --chown=satedge results/policies results/policies
RUN make .venv/.kernels
ENV OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 MKL_NUM_THREADS=1 NUMBA_NUM_THREADS=1
ENTRYPOINT ["/satedge/.venv/bin/satedge"]
CMD ["--help"]
