class TaskEnvironmentError(Exception):
    pass
