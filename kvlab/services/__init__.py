"""What nodes of several stages do over an Env, beside serving clients."""
