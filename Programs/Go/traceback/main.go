// traceback: a panic that nobody recovers from prints where it was and ends the program with status 2.
package main

func inner(values []int, index int) int { return values[index] }

func main() {
	println("traceback: begins")
	inner([]int{1, 2, 3}, 7)
}
