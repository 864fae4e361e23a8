"""Why a saved policy does what it does: one game step by step, what it looks at, and what else it might have done."""
