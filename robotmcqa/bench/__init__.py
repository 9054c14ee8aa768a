"""Robot-R1 Bench: open questions about pictures of a robot at work, judged on a scale of 0 to 3.

Built from simulated moments (:mod:`robotmcqa.bench.build`) or written by people, answered by a
model, judged by another (:mod:`robotmcqa.bench.run`), reported with intervals
(:mod:`robotmcqa.bench.report`).
"""
