class JointVelocity:
    pass
