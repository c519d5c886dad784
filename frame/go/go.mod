module beacond/frame

go 1.19
