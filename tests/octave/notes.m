% The notes' operations by their own MATLAB one-liners, map by map. Maps are (N, J, H, W), kernels (I, J, Kh, Kw).
% To be had by source("notes.m"); offered() lists what is here.
1;

function y = rot180(x)
  y = rot90(x, 2);
end

function m = map(x, a, b)  % the map x(a, b, :, :), also where a side is 1, which squeeze would turn
  m = reshape(x(a, b, :, :), size(x, 3), size(x, 4));
end

function found = offered()
  both = {"forward", "vjp"};
  found = struct("sigmoid", {both}, "upsample", {both}, "downsample", {both}, "convolve_valid", {both}, ...
                 "convolve_full", {both}, "convolution", {both}, "subsampling", {both});
end

function answer = answered(operation, call, arrays, options)
  % The arrays of an answer, gradient_x and so on, or output.
  answer = feval([operation "_" call], arrays, options);
end

% C3, K1: up(x) = x (x) 1_{n x n}

function a = upsample_forward(q, o)
  for m = 1:size(q.input_x, 1), for j = 1:size(q.input_x, 2)
    a.output(m, j, :, :) = kron(map(q.input_x, m, j), ones(o.n));
  end, end
end

function a = upsample_vjp(q, o)
  a.gradient_x = blocks(q.cotangent, o.n);
end

% K2: convolve with ones, then take every n-th; the notes' y = x(1:2:end, 1:2:end) for n = 2

function y = blocks(x, n)
  for m = 1:size(x, 1), for j = 1:size(x, 2)
    s = conv2(map(x, m, j), ones(n), "valid");
    y(m, j, :, :) = s(1:n:end, 1:n:end);
  end, end
end

function a = downsample_forward(q, o)
  a.output = blocks(q.input_x, o.n);
end

function a = downsample_vjp(q, o)
  q.input_x = q.cotangent;
  a.gradient_x = upsample_forward(q, o).output;
end

% C1, C6, C7

function t = table(k, o)  % M_j; null, which is [] here, connects all
  t = true(size(k, 1), size(k, 2));
  if isfield(o, "connections") && ! isempty(o.connections), t = logical(o.connections); end
end

function a = convolve_valid_forward(q, o)
  x = q.input_x; k = q.input_k; t = table(k, o);
  a.output = zeros(size(x, 1), size(k, 2), size(x, 3) - size(k, 3) + 1, size(x, 4) - size(k, 4) + 1);
  for m = 1:size(x, 1), for i = 1:size(k, 1), for j = 1:size(k, 2)
    if t(i, j)
      u = conv2(map(x, m, i), map(k, i, j), "valid");
      a.output(m, j, :, :) += reshape(u, [1 1 size(u)]);
    end
  end, end, end
end

function a = convolve_valid_vjp(q, o)
  x = q.input_x; k = q.input_k; t = table(k, o);
  a.gradient_x = zeros(size(x)); a.gradient_k = zeros(size(k));
  for m = 1:size(x, 1), for i = 1:size(k, 1), for j = 1:size(k, 2)
    if t(i, j)
      delta = map(q.cotangent, m, j);
      d = conv2(delta, rot180(map(k, i, j)), "full");
      g = rot180(conv2(map(x, m, i), rot180(delta), "valid"));
      a.gradient_x(m, i, :, :) += reshape(d, [1 1 size(d)]);
      a.gradient_k(i, j, :, :) += reshape(g, [1 1 size(g)]);
    end
  end, end, end
end

% S2's conv2(delta, k, 'full'), summed over receiving maps

function a = convolve_full_forward(q, o)
  d = q.input_d; k = q.input_k; t = table(k, o);
  a.output = zeros(size(d, 1), size(k, 1), size(d, 3) + size(k, 3) - 1, size(d, 4) + size(k, 4) - 1);
  for m = 1:size(d, 1), for i = 1:size(k, 1), for j = 1:size(k, 2)
    if t(i, j)
      u = conv2(map(d, m, j), map(k, i, j), "full");
      a.output(m, i, :, :) += reshape(u, [1 1 size(u)]);
    end
  end, end, end
end

function a = convolve_full_vjp(q, o)
  d = q.input_d; k = q.input_k; t = table(k, o);
  a.gradient_d = zeros(size(d)); a.gradient_k = zeros(size(k));
  for m = 1:size(d, 1), for i = 1:size(k, 1), for j = 1:size(k, 2)
    if t(i, j)
      c = map(q.cotangent, m, i);
      e = conv2(c, rot180(map(k, i, j)), "valid");
      g = conv2(c, rot180(map(d, m, j)), "valid");
      a.gradient_d(m, j, :, :) += reshape(e, [1 1 size(e)]);
      a.gradient_k(i, j, :, :) += reshape(g, [1 1 size(g)]);
    end
  end, end, end
end

% A1, A2, A3 with f' from y, as K3 has it

function y = activated(u, name)
  switch name
    case "identity", y = u;
    case "sigmoid", y = 1 ./ (1 + exp(-u));
    case "tanh", y = tanh(u);
    case "scaled_tanh", y = 1.7159 * tanh(2 / 3 * u);
  end
end

function s = slope(y, name)
  switch name
    case "identity", s = ones(size(y));
    case "sigmoid", s = y .* (1 - y);
    case "tanh", s = 1 - y .^ 2;
    case "scaled_tanh", s = 2 / 3 / 1.7159 * (1.7159 - y) .* (1.7159 + y);
  end
end

function a = sigmoid_forward(q, o)
  a.output = activated(q.input_u, "sigmoid");
end

function a = sigmoid_vjp(q, o)
  % not y .* (1 - y): where y rounds to 1 that is 0, and f' is not
  a.gradient_u = q.cotangent .* activated(q.input_u, "sigmoid") .* activated(-q.input_u, "sigmoid");
end

% C1 with b and f, C4

function a = convolution_forward(q, o)
  a.output = convolve_valid_forward(q, o).output + reshape(q.input_b, [1 numel(q.input_b)]);
  a.output = activated(a.output, o.activation);
end

function a = convolution_vjp(q, o)
  q.cotangent = q.cotangent .* slope(convolution_forward(q, o).output, o.activation);
  a = convolve_valid_vjp(q, o);
  a.gradient_b = reshape(sum(sum(sum(q.cotangent, 1), 3), 4), [], 1);
end

% S1, S3, S4, S5

function a = subsampling_forward(q, o)
  d = blocks(q.input_x, o.n);
  a.output = activated(reshape(q.input_beta, 1, []) .* d + reshape(q.input_b, 1, []), o.activation);
end

function a = subsampling_vjp(q, o)
  delta = q.cotangent .* slope(subsampling_forward(q, o).output, o.activation);
  a.gradient_b = reshape(sum(sum(sum(delta, 1), 3), 4), [], 1);
  a.gradient_beta = reshape(sum(sum(sum(delta .* blocks(q.input_x, o.n), 1), 3), 4), [], 1);
  q.input_x = reshape(q.input_beta, 1, []) .* delta;
  a.gradient_x = upsample_forward(q, o).output;
end
