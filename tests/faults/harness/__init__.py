"""What every fault is struck with: a fleet under load, blows, and what must hold when all is quiet again."""
