"""What bench/peers is made of: peers are installed, started, put under load, and what was measured is written down."""
