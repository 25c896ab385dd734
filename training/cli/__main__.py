from training.cli import main

main(prog_name="sound-training")
