"""The native backend for CPUs: graphs become one native call, through LLVM, oneDNN and OpenBLAS."""
