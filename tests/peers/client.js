// Uses the official Node client as its readme shows: node client.js ENDPOINT KEY_ID SECRET PROJECT; prints what it read as JSON.
'use strict';

const Client = require('@alicloud/log');

const [endpoint, accessKeyId, accessKeySecret, project] = process.argv.slice(2);
const client = new Client({ accessKeyId, accessKeySecret, endpoint });
const INDEX = { line: { token: [' ', ','], caseSensitive: false }, keys: { status: { type: 'long', doc_value: true } } };

async function main() {
  const now = new Date();
  const from = new Date(now - 600000);
  const to = new Date(now.getTime() + 600000);
  await client.createProject(project, { description: 'made by node' });
  await client.createLogStore(project, 'web', { ttl: 7, shardCount: 2 });
  await client.createIndex(project, 'web', INDEX);
  const logs = [200, 404, 404].map((status) => ({
    timestamp: Math.floor(now / 1000), content: { status: String(status), text: 'größer 日志' },
  }));
  await client.postLogStoreLogs(project, 'web', { logs, topic: 'topic', source: '10.0.0.1', tags: [{ host: 'a' }] });
  let rows = [];
  for (let turn = 0; turn < 300 && rows.length < 3; turn += 1) {
    await new Promise((done) => setTimeout(done, 200));
    rows = await client.getLogs(project, 'web', from, to, { query: 'status > 0', line: 10 });
  }
  const counts = await client.getLogs(project, 'web', from, to, { query: '* | select status, count(*) as n group by status order by status' });
  const histogram = await client.getHistograms(project, 'web', from, to, { query: 'status: 404' });
  const stores = await client.listLogStore(project);
  const index = await client.getIndexConfig(project, 'web');
  const found = await client.getProject(project);
  const sql = `select count(*) as n from web where __time__ > ${Math.floor(from / 1000)}`;
  const across = await client.getProjectLogs(project, { query: sql });
  await client.deleteLogStore(project, 'web');
  let refused = '';
  await client.getLogStore(project, 'web').catch((error) => { refused = error.code; });
  await client.deleteProject(project);
  console.log(JSON.stringify({
    rows, counts, hits: histogram.reduce((sum, each) => sum + each.count, 0), stores: stores.logstores,
    type: index.keys.status.type, description: found.description, across, refused,
  }));
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
