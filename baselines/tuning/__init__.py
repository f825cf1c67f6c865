"""Personal soft prompts on a frozen backbone: one prompt module, one objective, one trainer (PROTOCOL section 7).

Every trained simulator is these three with other settings; ``baselines.simulators`` holds the simulators.
"""
