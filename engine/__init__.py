"""From recipe to plan to run to ledger to output."""
