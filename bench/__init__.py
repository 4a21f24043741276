"""The benchmark: plain hand-written Keras scripts beside the dlrun configs they are compared with (`make bench`)."""
