class PickUpCup:
    name = "pick_up_cup"
    variations = 3
