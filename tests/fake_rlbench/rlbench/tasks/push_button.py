class PushButton:
    name = "push_button"
    variations = 2
