% octave-cli adapter.m: answers the questions of gradcheck certify --command, one line of JSON for each.
source(fullfile(fileparts(mfilename("fullpath")), "notes.m"));

while true
  try, line = input("", "s"); catch, break, end  % not fgetl, which waits for the line behind this one
  q = jsondecode(line, "makeValidName", false);
  reply = struct("id", q.id);
  if strcmp(q.call, "describe")
    reply.offers = offered();
    reply.format = "mat";
    reply.version = version();
  else
    try
      answer = answered(q.operation, q.call, load(q.question), q.options);
      save("-v6", q.answer, "-struct", "answer");
    catch problem
      reply.error = problem.message;
    end
  end
  printf("%s\n", jsonencode(reply));
  fflush(stdout);
end
