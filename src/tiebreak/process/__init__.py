"""The process that computes: its allocator, memory that runs out in it, and how it multiplies on a CPU.

An import changes nothing in the process. What each file does to it, and when:

- `allocator.py` sets the C library's allocator and environment variables, for good: only when `tune_process` is called,
  which in the library only the command line does. `return_freed_memory` gives what is free back to the system, and ends
  the keeping that `tune_process` set; `memory.py` calls it where memory runs out.
- `fast_linear.py` intercepts calls of `linear` and `addmm`: only within its block, and only in the block's thread.
- `memory.py` does nothing while there is memory. Where it runs out, garbage is collected, torch's cache on the GPU is
  emptied, and freed memory is returned. Once oneDNN refuses to make code in a thread, what that thread computes through
  `in_usable_thread` is done in another one, made for it.
- `imports.py` keeps libraries quiet while they are imported, and puts back what they change: only within its block.
- `failures.py` reads errors and does nothing else.

Knows torch and the operating system; knows nothing of models, batches or losses.
"""
