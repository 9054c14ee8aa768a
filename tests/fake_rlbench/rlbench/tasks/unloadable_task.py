raise FileNotFoundError("unloadable_task.ttm is not there")
