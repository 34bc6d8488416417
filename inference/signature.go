package inference

// Signature says which tensors a network takes and gives, all with fixed shapes:
// a fixed shape is part of what makes outputs repeat.
type Signature struct {
	Inputs  []Tensor
	Outputs []Tensor
}

// Tensor is one input or output of a network, float32 in row-major order unless it
// is a constant.
type Tensor struct {
	Name  string
	Shape []int64
	// Constant makes the tensor an int64 scalar input that never changes; Shape is
	// then empty.
	Constant *int64
}
