"""Policies for programs that have no rltrain: ONNX and plain Python, each held against what it was made from.

with_numpy, without_numpy   the operations of `computation`, as functions that a policy.py carries along
calls                       a computation as calls of these functions, and what it comes to
onnx_file, python_file      the files
about                       what a file says of itself
replay                      whether a file gives the actions that the checkpoint gives
"""
