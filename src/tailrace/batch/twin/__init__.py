"""The parts of the pure-Python engine; `tailrace.batch.reference` is its face."""
