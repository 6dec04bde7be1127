"""What the operator types: order, messages, confirmation. No shell text."""
