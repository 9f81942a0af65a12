"""Collections and documents: accepted, extracted, split, made live."""
