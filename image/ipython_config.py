"""IPython and its kernels, system-wide, below the user's own configuration."""

c = get_config()  # noqa: F821  # traitlets defines it in a configuration file

c.InteractiveShellApp.extensions.append("seed_init.notebook")
