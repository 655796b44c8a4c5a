"""What scripts/bench is made of: servers, a slow line, clients, workloads, limits, tables."""
