"""Every node a process of its own on this machine, with TCP between them: `supervisor.ProcessWorld`."""
