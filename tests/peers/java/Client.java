// Uses the official Java libraries as their readmes show: java -cp '.venv/peers/java/*' Client.java ENDPOINT KEY_ID SECRET PROJECT PORT;
// prints what it did as JSON. The client writes, asks and pulls with the port of 127.0.0.1 as its HTTP proxy; the producer writes and the
// consumer library consumes by the endpoint alone.
import com.alibaba.fastjson.JSON;
import com.aliyun.openservices.aliyun.log.producer.LogProducer;
import com.aliyun.openservices.aliyun.log.producer.ProducerConfig;
import com.aliyun.openservices.aliyun.log.producer.ProjectConfig;
import com.aliyun.openservices.log.Client;
import com.aliyun.openservices.log.common.Consts;
import com.aliyun.openservices.log.common.FastLog;
import com.aliyun.openservices.log.common.FastLogContent;
import com.aliyun.openservices.log.common.LogContent;
import com.aliyun.openservices.log.common.LogGroupData;
import com.aliyun.openservices.log.common.LogItem;
import com.aliyun.openservices.log.common.LogStore;
import com.aliyun.openservices.log.common.QueriedLog;
import com.aliyun.openservices.log.exception.LogException;
import com.aliyun.openservices.log.http.client.ClientConfiguration;
import com.aliyun.openservices.log.http.signer.SignVersion;
import com.aliyun.openservices.log.request.PullLogsRequest;
import com.aliyun.openservices.log.request.PutLogsRequest;
import com.aliyun.openservices.log.response.PullLogsResponse;
import com.aliyun.openservices.loghub.client.ClientWorker;
import com.aliyun.openservices.loghub.client.ILogHubCheckPointTracker;
import com.aliyun.openservices.loghub.client.config.LogHubConfig;
import com.aliyun.openservices.loghub.client.interfaces.ILogHubProcessor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentSkipListSet;

class Main {
  static final String INDEX =
      "{\"line\":{\"token\":[\" \",\",\"],\"caseSensitive\":false},\"keys\":{\"n\":{\"type\":\"long\",\"doc_value\":true}}}";
  static final String TEXT = "größer 日志";
  static final long PATIENCE_MS = 120_000;

  final String endpoint, id, secret, project;
  final int port;
  final int now = (int) (System.currentTimeMillis() / 1000);
  final Map<String, Object> report = new TreeMap<>();

  Main(String endpoint, String id, String secret, String project, int port) {
    this.endpoint = endpoint;
    this.id = id;
    this.secret = secret;
    this.project = project;
    this.port = port;
  }

  public static void main(String[] words) throws Exception {
    Main main = new Main(words[0], words[1], words[2], words[3], Integer.parseInt(words[4]));
    main.run();
    System.out.println(JSON.toJSONString(main.report));
    System.exit(0);
  }

  void run() throws Exception {
    Client client = client();
    client.CreateProject(project, "made by java");
    client.CreateLogStore(project, new LogStore("web", 7, 2));
    client.CreateIndex(project, "web", INDEX);
    PutLogsRequest request = new PutLogsRequest(project, "web", "topic", "10.0.0.1", List.of(item(1), item(2)), "0".repeat(32));
    client.PutLogs(request);
    produce();
    report.put("rows", ask(client, "n > 0", 5));
    report.put("counts", ask(client, "* | select count(*) as c, max(n) as m", 1));
    report.put("hits", client.GetHistograms(project, "web", now - 600, now + 600, "", "n > 3").GetTotalCount());
    report.put("pulled", pull(client, null));
    report.put("chosen", pull(client, "* | where cast(n as bigint) >= 4"));
    report.put("consumed", consume());
    report.put("stores", client.ListLogStores(project, 0, 10, "").GetLogStores());
    try {
      client.GetLogs(project, "web", now - 600, now + 600, "", "n > ");
    } catch (LogException error) {
      report.put("refused", error.GetErrorMessage());
    }
    client.DeleteProject(project);
  }

  Client client() {
    ClientConfiguration configuration = new ClientConfiguration();
    configuration.setSignatureVersion(SignVersion.V4);
    configuration.setRegion("local");
    configuration.setProxyHost("127.0.0.1");
    configuration.setProxyPort(port);
    return new Client(endpoint, id, secret, "127.0.0.1", configuration);
  }

  LogItem item(int n) {
    LogItem item = new LogItem(now);
    item.PushBack("n", String.valueOf(n));
    item.PushBack("text", TEXT);
    return item;
  }

  /** Three logs by the producer, which signs by version 1 as it does by default. */
  void produce() throws Exception {
    LogProducer producer = new LogProducer(new ProducerConfig());
    producer.putProjectConfig(new ProjectConfig(project, endpoint, id, secret));
    report.put("produced", producer.send(project, "web", "made", "10.0.0.2", List.of(item(3), item(4), item(5))).get().isSuccessful());
    producer.close();
  }

  List<Map<String, String>> ask(Client client, String query, int rows) throws Exception {
    List<Map<String, String>> found = new ArrayList<>();
    for (long until = System.currentTimeMillis() + PATIENCE_MS; found.size() < rows && System.currentTimeMillis() < until; Thread.sleep(200)) {
      found.clear();
      for (QueriedLog log : client.GetLogs(project, "web", now - 600, now + 600, "", query, 100, 0, false).GetLogs()) {
        Map<String, String> row = new TreeMap<>();
        for (LogContent content : log.GetLogItem().GetLogContents()) row.put(content.GetKey(), content.GetValue());
        found.add(row);
      }
    }
    return found;
  }

  List<Integer> pull(Client client, String query) throws Exception {
    List<Integer> found = new ArrayList<>();
    for (int shard = 0; shard < 2; shard++) {
      String cursor = client.GetCursor(project, "web", shard, Consts.CursorMode.BEGIN).GetCursor();
      String end = client.GetCursor(project, "web", shard, Consts.CursorMode.END).GetCursor();
      while (!cursor.equals(end)) {
        PullLogsRequest request = new PullLogsRequest(project, "web", shard, 10, cursor, end);
        if (query != null) {
          request.setQuery(query);
          request.setPullMode("scan_on_stream");
        }
        PullLogsResponse answer = client.pullLogs(request);
        numbers(answer.getLogGroups(), found);
        cursor = answer.getNextCursor();
      }
    }
    found.sort(null);
    return found;
  }

  static void numbers(List<LogGroupData> groups, java.util.Collection<Integer> found) {
    for (LogGroupData group : groups)
      for (FastLog log : group.GetFastLogGroup().getLogs())
        for (int place = 0; place < log.getContentsCount(); place++) {
          FastLogContent content = log.getContents(place);
          if (content.getKey().equals("n")) found.add(Integer.valueOf(content.getValue()));
        }
  }

  List<Integer> consume() throws Exception {
    ConcurrentSkipListSet<Integer> found = new ConcurrentSkipListSet<>();
    LogHubConfig config =
        new LogHubConfig("group", "consumer", endpoint, project, "web", id, secret, LogHubConfig.ConsumePosition.BEGIN_CURSOR);
    ClientWorker worker = new ClientWorker(() -> new Consumer(found), config);
    Thread thread = new Thread(worker);
    thread.start();
    for (long until = System.currentTimeMillis() + PATIENCE_MS; found.size() < 5 && System.currentTimeMillis() < until; ) Thread.sleep(100);
    worker.shutdown();
    thread.join(30_000);
    return new ArrayList<>(found);
  }

  static class Consumer implements ILogHubProcessor {
    final ConcurrentSkipListSet<Integer> found;

    Consumer(ConcurrentSkipListSet<Integer> found) {
      this.found = found;
    }

    public void initialize(int shard) {}

    public String process(List<LogGroupData> groups, ILogHubCheckPointTracker tracker) {
      numbers(groups, found);
      try {
        tracker.saveCheckPoint(true);
      } catch (Exception error) {
        throw new IllegalStateException(error);
      }
      return null;
    }

    public void shutdown(ILogHubCheckPointTracker tracker) {}
  }
}
