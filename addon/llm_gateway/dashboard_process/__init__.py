"""The dashboard's Datasette process: command line, environment, child."""
