"""The shipped packages as float32, float16, dynamic range and int8: what each form loses."""
