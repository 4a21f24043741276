"""Many runs, or a follow-up run, from one command."""
