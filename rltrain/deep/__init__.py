"""What the deep algorithms share: networks, losses, replay memory."""
