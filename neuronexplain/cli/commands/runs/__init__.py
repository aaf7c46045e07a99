"""``neuronexplain runs``: what a database holds, a module for each command."""
