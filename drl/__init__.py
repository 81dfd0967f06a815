"""Learning to offload: environment, agents, training.

Importing this package registers `satedge/Offloading-v0` with gymnasium, which since its version
1.0 looks up no plugins by itself: `import drl` first, or `gymnasium.make("drl:satedge/...")`.
"""

from importlib.util import find_spec

if find_spec("gymnasium") is not None:
    from gymnasium.envs.registration import register

    register(
        id="satedge/Offloading-v0",
        entry_point="drl.env.env:OffloadingEnv",
        vector_entry_point="drl.env.env:OffloadingVectorEnv",
    )
