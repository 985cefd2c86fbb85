"""The filters as a rollout filter inside reinforcement learning."""
