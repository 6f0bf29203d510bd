"""Which operators take another path on the CPU under DETERMINISM=warn, and what that costs."""

from benchmarks import processes


def main() -> None:
    processes.run("benchmarks.micro.operators")


if __name__ == "__main__":
    main()
