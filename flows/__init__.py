"""The pipeline around the core: stages, checks, flows, registry, command line."""
