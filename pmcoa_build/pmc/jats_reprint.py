"""stub"""
def is_reprint(text: str, cited: str = "") -> bool:
    return False
