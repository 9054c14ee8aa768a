class ReachTarget:
    name = "reach_target"
    variations = 5
