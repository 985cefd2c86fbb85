"""The sandbox: bubblewrap where user namespaces are there, Landlock and a user of its own where they are not, else none (docs/sandbox.md)."""
