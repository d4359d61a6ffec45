"""An access log through the brain, offline: what the shield would have done."""
