"""The engine that trains LeNet in the browser: lenet.c and what it compiles to."""
