"""What the edge sees of its traffic, and the shield's shell: counters, samples, crawlers, alerts."""
