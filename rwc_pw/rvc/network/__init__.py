"""RVC's synthesiser, block by block: every frame is computed once."""
