"""What one warning of a nondeterministic operator costs under DETERMINISM=warn."""

from benchmarks import processes


def main() -> None:
    processes.run("benchmarks.micro.alerts")


if __name__ == "__main__":
    main()
