"""What each switch of DETERMINISM=warn costs on the CPU."""

from benchmarks import processes


def main() -> None:
    processes.run("benchmarks.micro.switches")


if __name__ == "__main__":
    main()
