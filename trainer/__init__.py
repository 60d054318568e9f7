"""Examples, models, judgement."""

import os

# Before torch loads its OpenMP runtime. By default its threads spin while they wait; where anything else wants the same
# two cores, the spinning takes the time that the work needs: eight drafts took 132 s beside one busy process, and 38 s
# with waiting threads put to sleep. Alone on the machine the difference is not measurable.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# The reader of GGUF files draws a bar of its own; tqdm looks at this when it is imported.
os.environ.setdefault("TQDM_DISABLE", "1")
