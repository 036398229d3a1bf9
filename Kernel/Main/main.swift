// x
print("x")
