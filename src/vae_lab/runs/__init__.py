"""Run and sweep directories as typed objects. Nothing here imports torch."""
