class Discrete:
    pass
