"""What real machines do to a run, many times, at moments drawn from a seed: ``make torture``."""
